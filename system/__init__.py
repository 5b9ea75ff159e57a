"""The asynchronous e-mail system under test: an API, workers, a relay. Imports nothing of the harness."""
