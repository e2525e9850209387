"""Generated from proto/ by generate.sh; private to the package."""
