"""Steps that several runs share."""
