"""One file per stage; each offers ``STAGE``. Heavy libraries are imported inside ``run``."""
