"""Is the epoch that Loracle recommends the right one? Many small trainings, judged by what the recommender never sees."""
