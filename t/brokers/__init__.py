"""Private instances of real servers: free ports, temporary folders, gone afterwards."""
