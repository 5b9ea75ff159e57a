"""The offered load: seeded jobs, submitted on schedule, every outcome written as evidence.

Started by people (`locust -f loadtests/locustfile.py`) and by the experiment (`loadtests.launch`).
Never judges and never stops because the system under test is broken.
"""
