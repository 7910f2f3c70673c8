"""sections: steps that several runs on blocks share: coarse pictures of the sections, and their registration, pair by pair."""
