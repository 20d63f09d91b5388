"""The peer on FastAPI and SQLAlchemy (async) over the same PostgreSQL.

As SQLAlchemy's documentation shows it: declarative models, an AsyncSession for each request, one
transaction, the row locked before it is decided on. Run by uvicorn with uvloop and httptools, one
worker for each core; connections are pooled and pre-opened by use.
"""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import DateTime, String, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtests.bench.peers.answers import SUPPLY, VERIFY, answer

SCHEMA = "peer_sql"


class Base(DeclarativeBase):
    """All tables."""


class Pack(Base):
    """A pack: product code and serial number identify it."""

    __tablename__ = "pack"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - as the library wants it.
    product_code: Mapped[str] = mapped_column(String(14), primary_key=True)
    serial_number: Mapped[str] = mapped_column(String(20), primary_key=True)
    batch_id: Mapped[str] = mapped_column(String(20))
    expiry: Mapped[str] = mapped_column(String(6))
    state: Mapped[str] = mapped_column(String(16))


class Trail(Base):
    """The audit trail."""

    __tablename__ = "trail"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - as the library wants it.
    transaction_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    product_code: Mapped[str] = mapped_column(String(14))
    serial_number: Mapped[str] = mapped_column(String(20))
    operation: Mapped[str] = mapped_column(String(16))
    status: Mapped[int]


class PackChange(BaseModel):
    """Body of a PATCH."""

    state: str


engine = create_async_engine(os.environ["PEER_DSN"], pool_size=16, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI(openapi_url=None)
PATH = "/verification/product/{scheme}/{code}/pack/{serial}"


async def _perform(  # noqa: PLR0917 - the parts of a request
    operation: str, code: str, serial: str, batch: str, expiry: str, authorization: str
) -> JSONResponse:
    if not authorization.startswith("Bearer "):
        raise HTTPException(401)
    session: AsyncSession
    async with sessions() as session, session.begin():
        query = select(Pack).where(Pack.product_code == code, Pack.serial_number == serial)
        if operation == SUPPLY:
            query = query.with_for_update()
        pack: Any = (await session.execute(query)).scalar_one_or_none()
        state = None if pack is None else pack.state
        fits = pack is not None and pack.batch_id == batch and pack.expiry == expiry
        status, new_state, body = answer(operation, state, fits=fits)
        if new_state is not None:
            pack.state = new_state
        session.add(
            Trail(
                transaction_id=uuid.uuid4(),
                recorded_at=datetime.now(UTC),
                product_code=code,
                serial_number=serial,
                operation=operation,
                status=status,
            )
        )
    return JSONResponse(body, status)


@app.get(PATH)
async def verify(  # noqa: PLR0917 - FastAPI passes them by name
    scheme: str, code: str, serial: str, batch: str, expiry: str, authorization: str = Header("")
) -> JSONResponse:
    """Verify a pack."""
    return await _perform(VERIFY, code, serial, batch, expiry, authorization)


@app.patch(PATH)
async def supply(  # noqa: PLR0917 - FastAPI passes them by name
    scheme: str,
    code: str,
    serial: str,
    batch: str,
    expiry: str,
    change: PackChange,
    authorization: str = Header(""),
) -> JSONResponse:
    """Supply a pack."""
    if change.state != "Supplied":
        raise HTTPException(422)
    return await _perform(SUPPLY, code, serial, batch, expiry, authorization)
