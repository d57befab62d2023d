"""Who writes the reply to an open-ended turn."""
