"""Intent classifiers side by side: data sets, candidates, figures, and the page made from them."""
