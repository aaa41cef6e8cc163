"""Start, supervise and check the whole portal on one machine."""
