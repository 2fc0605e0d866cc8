"""How large a graph may be. Known before TensorFlow sees it: importing, lowering and starting it cost time and memory.

The largest graph of our own models and algorithms has 5,606 nodes (ResNet-18 with Adam at the server).
"""

MAX_NODES = 100_000  # after every call is put in the place of its function
MAX_ENTRIES = 1_000_000  # inputs, entries of lists, arguments of functions; names after calls are replaced
MAX_EXPANSION_BYTES = 256 << 20  # that replacing calls by their functions may add to a graph's file
MAX_CALL_DEPTH = 64  # functions that call functions; TensorFlow's lowering recurses
MAX_CONSTANT_BYTES = 2 << 30  # of all constants together, as they will lie in memory
MAX_REPEATED_BYTES = 1 << 30  # of these, what a few bytes in the file claim by repeating a value
MAX_RANK = 16
MAX_ELEMENTS = 1 << 40  # of a declared shape
MAX_LIST = 20_000  # entries of an attribute, inputs of a node
MAX_INTEGER = 1 << 40  # of an attribute; seeds are any 64 bits
MAX_TEXT = 1_000  # characters of a name or of a text attribute
