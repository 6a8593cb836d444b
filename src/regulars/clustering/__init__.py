"""Customers as points: transform, K-Means run to the bottom, and an honest choice of k. Arrays only.

Rows are sorted by their values before anything is fitted, so neither the order of the rows nor the ids of the customers
change the result. A point may stand for several customers: then it has a weight, and everything counts customers.
"""

from regulars.clustering.cells import Cells
from regulars.clustering.choosing import MIN_STABILITY, Choice, Trial, choose_k, elbow
from regulars.clustering.kmeans import MIN_CUSTOMERS, AutoKMeans, cluster_centres
from regulars.clustering.measuring import EXACT_SILHOUETTE, silhouettes
from regulars.clustering.scales import SCALES, Floats, Scale, fit_scale

__all__ = [
    "EXACT_SILHOUETTE",
    "MIN_CUSTOMERS",
    "MIN_STABILITY",
    "SCALES",
    "AutoKMeans",
    "Cells",
    "Choice",
    "Floats",
    "Scale",
    "Trial",
    "choose_k",
    "cluster_centres",
    "elbow",
    "fit_scale",
    "silhouettes",
]
