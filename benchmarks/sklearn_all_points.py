"""The peer for clusters: scikit-learn's K-Means on every customer, k = 2…8 with 10 starts each.

The points are those of regulars: √recency, ln(1 + orders) and ln(1 + money), standardised. No bootstrap, no choice of k.

Usage: python benchmarks/sklearn_all_points.py CUSTOMERS_PARQUET OUTPUT_FOLDER
"""

import json
import sys
from pathlib import Path

from clock import Clock


def main(source: str, folder: str) -> None:
    clock = Clock("start")
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import StandardScaler

    clock.stage("read")
    table = pq.read_table(source, columns=["recency_days", "frequency", "monetary"])
    recency, frequency, monetary = (table[name].cast(pa.float64()).to_numpy() for name in table.column_names)
    points = StandardScaler().fit_transform(
        np.column_stack([np.sqrt(recency), np.log1p(frequency), np.log1p(monetary)])
    )
    clock.stage("cluster")
    inertias = {k: float(KMeans(k, n_init=10, random_state=0).fit(points).inertia_) for k in range(2, 9)}
    clock.stage("write")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    (target / "inertias.json").write_text(json.dumps(inertias), encoding="utf-8")
    clock.tell(customers=len(points), inertias=inertias)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
