"""The policy and its decision: values and rules, no I/O."""
