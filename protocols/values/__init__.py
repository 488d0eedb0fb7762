"""Small values that every room uses: durations, validators, the string rules of ECMAScript."""
