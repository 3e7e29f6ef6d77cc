"""What must survive a restart: people, jobs, quotas, conversations, updates and pictures."""
