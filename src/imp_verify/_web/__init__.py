"""From a shop's request to its answer: endpoints, answers, pages, the served script. No
I/O, no framework."""
