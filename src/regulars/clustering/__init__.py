"""Customers as points: transform, K-Means run to the bottom, and an honest choice of k. Arrays only.

Rows are sorted by their values before anything is fitted, so neither the order of the rows nor the ids of the customers
change the result.
"""

from regulars.clustering.choosing import MIN_STABILITY, Choice, Trial, choose_k, elbow
from regulars.clustering.kmeans import EXACT_SILHOUETTE, MIN_CUSTOMERS, AutoKMeans, silhouettes
from regulars.clustering.scales import SCALES, Floats, Scale, fit_scale

__all__ = [
    "EXACT_SILHOUETTE",
    "MIN_CUSTOMERS",
    "MIN_STABILITY",
    "SCALES",
    "AutoKMeans",
    "Choice",
    "Floats",
    "Scale",
    "Trial",
    "choose_k",
    "elbow",
    "fit_scale",
    "silhouettes",
]
