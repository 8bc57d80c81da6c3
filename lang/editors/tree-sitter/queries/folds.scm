; What can be folded.

[(body) (record) (list) (selection)] @fold
