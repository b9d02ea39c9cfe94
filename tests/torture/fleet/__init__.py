"""Several gunicorn processes with a Redis, a provider, and a clock that is set.

`python -m tests.torture.fleet` plays days of them in a minute. The clock is all that
is not real: the processes read it from memory that the conductor writes (`clocked`),
and what Redis is to forget is brought forward along with it (`clock`).
"""
