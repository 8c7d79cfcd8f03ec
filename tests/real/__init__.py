"""Tests against real programs of the operating system, and the machines they run on."""
