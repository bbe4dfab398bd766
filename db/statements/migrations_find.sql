select digest from onsale_migrations where name = $1
