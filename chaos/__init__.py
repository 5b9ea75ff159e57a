"""The experiment: start a system, flood it, break it, heal it, let it drain, collect evidence."""
