"""What a hostile plan, site or coordinator tries, a file for each kind; every test is an attack that must fail."""
