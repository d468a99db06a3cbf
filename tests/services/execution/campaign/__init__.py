"""The fault campaign in one process: the real functions, a Redis and a broker that fail, and one loop whose order follows from a seed."""
