"""Values as text, JSON and reports; functions without I/O."""
