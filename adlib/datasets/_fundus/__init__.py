"""How an eye of :mod:`adlib.datasets.fundus` is made: its anatomy, its vessels, its photograph."""
