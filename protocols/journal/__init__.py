"""What is durable: records, the state they fold into, and the port to whatever stores them."""
