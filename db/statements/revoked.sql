SELECT revision, token, expires_unix_s FROM revoked($1, $2)
