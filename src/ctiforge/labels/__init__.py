"""Labels of people: what is imported, how far two agree, what test sets are drawn from."""
