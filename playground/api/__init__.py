"""The methods of the Bot API: one module a group, one table of all."""
