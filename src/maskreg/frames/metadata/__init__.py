"""What is known of frames beside their pixels: columns from names, tables and arrays; their order in time."""
