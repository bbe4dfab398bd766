SELECT ever_held($1)
