COMMA = ","
