"""Other releases of the library, to talk with over a shared broker."""
