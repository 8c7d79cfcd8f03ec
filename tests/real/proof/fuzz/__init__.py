"""Coverage-guided fuzzing of every reader: `python -m tests.real.proof.fuzz`, see `make fuzz`."""
