"""Takes personal data out of what goes to a hosted model, and puts it back into what returns.

``scrubber.py`` joins what the finders find: ``contacts`` (e-mail, links, handles, IP addresses),
``numbers`` (phones, cards, accounts, ids), ``addresses``, ``names``. All of them know shapes, not
meaning: a name that nobody introduced, or a place told in passing, they do not find.
"""
