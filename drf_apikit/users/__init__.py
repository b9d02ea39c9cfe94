"""Who a subject of an issuer is among the users of this project."""
