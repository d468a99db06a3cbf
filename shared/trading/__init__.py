"""What is asked of a broker and when: targets, terms, states, protection, and the life of an order. Pure: no clock, no input or output."""
