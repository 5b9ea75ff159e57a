"""Break and heal a running system by hand: what `up` offers over HTTP to programs on this machine.

app.py is the door, director.py does one thing at a time, catalogue.py says what there is.
"""
