"""The Delivery tab of Locust's page: what becomes of the mails, live, and buttons to break and to heal.

attach.py puts it into Locust, watch.py collects what it shows, breaker.py is who breaks, page/ is the part
that runs in the browser. Runs only in the process that has the web UI; never offers load, and never judges.
"""
