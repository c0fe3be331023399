"""Files of sanctions lists and of labels of wallets: the formats of OFAC, the United Nations and the European Union.

`document` reads XML and `table` reads CSV, both as hostile input, in one pass and in constant memory. Each format has a
module that turns records into `entry.ListedEntry`. `formats` is the table of the formats.
"""
