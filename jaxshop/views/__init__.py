"""What people see: tables on the console, the inspection of a shop, charts as pages of their own."""
