"""Is the recommended epoch the right one? Many small trainings, judged by what the recommender never sees."""
