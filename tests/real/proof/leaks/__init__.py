"""Commands with secrets and hostile names in forks of a warm process, with a crash planted in them, and all that they print and leave."""
