QUOTE = '"'
