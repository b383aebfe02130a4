"""PS3.7 and PS3.8: the DIMSE services on asyncio."""
