"""One module a step; the newest one's number is ``newsletter.stores.sql.schema.REVISION``."""
