"""What is handed on to other systems, once: which lead goes where, in which words, and what became of it."""
