"""Commands in forks of a warm process, beside a user who plants and swaps files, and on odd disks."""
